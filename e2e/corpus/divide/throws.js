const [a, b] = require("fs").readFileSync(0, "utf8").split(" ").map(Number);
if (b === 0) throw new RangeError("division by zero");
console.log(a / b);
