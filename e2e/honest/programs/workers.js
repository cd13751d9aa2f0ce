// Worker threads with a shared buffer, WebAssembly memory, timers, files, the hash of some bytes. Gigabytes of
// address space are reserved and never touched (google/nsjail#262, windmill-labs/windmill#10132).
const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");
if (!isMainThread) {
  Atomics.add(new Int32Array(workerData.shared), 0, workerData.number);
  parentPort.postMessage(workerData.number * 2);
} else {
  const shared = new SharedArrayBuffer(4);
  const run = (number) => new Promise((done, fail) =>
    new Worker(__filename, { workerData: { shared, number } }).on("message", done).on("error", fail));
  (async () => {
    const doubled = await Promise.all([1, 2, 3].map(run));
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536 });
    const fs = require("node:fs/promises");
    await fs.writeFile("file", "text");
    await new Promise((done) => setTimeout(done, 5));
    const hash = require("node:crypto").createHash("sha256").update(await fs.readFile("file")).digest("hex");
    console.log(doubled.join(), Atomics.load(new Int32Array(shared), 0), memory.buffer.byteLength, hash.slice(0, 8),
      require("node:os").userInfo().uid > 0);
  })();
}
