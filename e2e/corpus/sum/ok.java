public class Main {
    public static void main(String[] args) throws Exception {
        String[] words = new String(System.in.readAllBytes()).trim().split("\\s+");
        System.out.println(Long.parseLong(words[0]) + Long.parseLong(words[1]));
    }
}
