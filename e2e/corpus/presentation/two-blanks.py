print("%-6s %s\n%-6s %s" % ("alpha", 1.5, "beta", 2.5))
