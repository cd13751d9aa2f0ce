const counts = new Map();
for (const word of require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean))
  counts.set(word, (counts.get(word) ?? 0) + 1);
for (const [word, count] of counts) console.log(word, count);
