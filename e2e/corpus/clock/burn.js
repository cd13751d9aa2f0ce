let used;
do used = process.cpuUsage();
while ((used.user + used.system) / 1000 < Number(process.argv[2]));
console.log("done");
