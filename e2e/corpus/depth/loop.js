let sum = 0;
for (let n = Number(require("fs").readFileSync(0, "utf8")); n > 0; n--) sum += n;
console.log(sum);
