import java.util.*;

public class Main {
    public static void main(String[] args) {
        Map<String, Integer> counts = new HashMap<>();
        for (Scanner input = new Scanner(System.in); input.hasNext(); ) counts.merge(input.next(), 1, Integer::sum);
        for (var entry : counts.entrySet()) System.out.println(entry.getKey() + " " + entry.getValue());
    }
}
