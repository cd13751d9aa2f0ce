// The machine starts more than a dozen threads and maps far more than it uses (judge0/judge0#7, engineer-man/piston#326,
// ioi/isolate#14).
import java.util.concurrent.*;
import java.util.stream.*;

public class Sums {
    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(5);
        Future<Long> evens = pool.submit(() -> LongStream.rangeClosed(1, 1000).parallel().filter(x -> x % 2 == 0).sum());
        Future<Long> odds = pool.submit(() -> LongStream.rangeClosed(1, 1000).filter(x -> x % 2 == 1).sum());
        byte[][] garbage = new byte[64][];
        for (int i = 0; i < 4096; i++) garbage[i % 64] = new byte[1 << 16];
        Thread late = new Thread(() -> garbage[0] = null);
        late.start();
        late.join();
        System.out.println(evens.get() + " " + odds.get() + " " + garbage.length + " " + (garbage[0] == null));
        pool.shutdown();
    }
}
