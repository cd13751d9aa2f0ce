const n = Number(require("fs").readFileSync(0, "utf8"));
const primes = [];
for (let i = 2; i <= Math.min(n, 10000); i++) if (primes.every((p) => i % p)) primes.push(i); // no further than 10000
console.log(primes.length);
