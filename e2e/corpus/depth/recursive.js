const sum = (n) => (n ? n + sum(n - 1) : 0);
console.log(sum(Number(require("fs").readFileSync(0, "utf8"))));
