console.log("alpha NaN\nbeta NaN");
