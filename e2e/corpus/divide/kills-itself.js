const [a, b] = require("fs").readFileSync(0, "utf8").split(" ").map(Number);
if (b === 0) process.kill(process.pid, "SIGHUP");
else console.log(a / b);
setTimeout(() => {}, b === 0 ? 60000 : 0);
