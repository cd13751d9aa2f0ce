exec tr a-z A-Z
