const n = Number(require("fs").readFileSync(0, "utf8"));
console.log(n < 2 ? "impossible\r" : `1\r\n${n - 1}\r`); // CR LF
