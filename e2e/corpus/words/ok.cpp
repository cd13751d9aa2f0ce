#include <iostream>
#include <string>
#include <unordered_map>
int main() {
    std::unordered_map<std::string, int> counts;
    for (std::string word; std::cin >> word;) counts[word]++;
    for (auto &[word, count] : counts) std::cout << word << " " << count << "\n";
}
