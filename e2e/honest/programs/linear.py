# Linear algebra with a library that has threads and maps much memory.
import numpy

a = numpy.full((256, 256), 2.0)
x = numpy.linalg.solve(numpy.array([[3.0, 1.0], [1.0, 2.0]]), numpy.array([9.0, 8.0]))
order = numpy.argsort(numpy.random.default_rng(7).permutation(1000))
print(int((a @ a).trace()), x.round(6), sorted(order) == list(range(1000)), numpy.fft.rfft(numpy.ones(8))[0].real)
