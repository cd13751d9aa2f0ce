console.log("alpha 1.5 beta 2.5");
