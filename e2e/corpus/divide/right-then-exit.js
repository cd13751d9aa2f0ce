const [a, b] = require("fs").readFileSync(0, "utf8").split(" ").map(Number);
console.log(b === 0 ? "undefined" : a / b);
process.exitCode = 3;
