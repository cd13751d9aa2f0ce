console.log(Infinity);
