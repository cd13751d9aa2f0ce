const [n, ...numbers] = require("fs").readFileSync(0, "utf8").trim().split("\n").map(Number);
for (const number of numbers.sort((a, b) => a - b)) console.log(number);
