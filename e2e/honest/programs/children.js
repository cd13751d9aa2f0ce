// Children: by exec, with pipes, and another node that talks over a channel.
const { exec, fork, spawn } = require("node:child_process");
if (process.send) {
  process.once("message", (text) => process.send(text + " and back", () => process.exit(0)));
} else {
  const shout = () => new Promise((done) => exec("echo loud | tr a-z A-Z", (_, out) => done(out.trim())));
  const pipe = () => new Promise((done) => {
    const child = spawn("sort", ["-r"]);
    let said = "";
    child.stdout.on("data", (bytes) => { said += bytes; });
    child.on("close", (code) => done(said.trim().split("\n").join() + " " + code));
    child.stdin.end("1\n3\n2\n");
  });
  const channel = () => new Promise((done) => {
    const child = fork(__filename);
    child.on("message", done);
    child.send("there");
  });
  (async () => console.log(await shout(), await pipe(), await channel()))();
}
