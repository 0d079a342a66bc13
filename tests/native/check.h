// A test is TEST(claim) { CHECK... }; each test_*.cpp includes this once and is its own program.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"

namespace check {

struct Test {
  const char* name;
  void (*run)();
};

struct Failure {
  std::string message;
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

struct Registration {
  Registration(const char* name, void (*run)()) { tests().push_back({name, run}); }
};

[[noreturn]] inline void failed(const char* file, int line, const std::string& what) {
  throw Failure{std::string(file) + ":" + std::to_string(line) + ": " + what};
}

/// Integers of unlike signedness compare by value, so that CHECK_EQ(v.size(), 3) is fine.
template <class A, class B>
bool same(const A& a, const B& b) {
  if constexpr (std::is_integral_v<A> && std::is_integral_v<B>) {
    return static_cast<long long>(a) == static_cast<long long>(b);
  } else {
    return a == b;
  }
}

template <class A, class B>
void equal(const A& a, const B& b, const char* text, const char* file, int line) {
  if (same(a, b)) return;
  std::ostringstream message;
  message << text << ": " << a << " != " << b;
  failed(file, line, message.str());
}

inline void near(double a, double b, double tolerance, const char* text, const char* file,
                 int line) {
  if (std::abs(a - b) <= tolerance) return;
  std::ostringstream message;
  message << text << ": |" << a << " - " << b << "| > " << tolerance;
  failed(file, line, message.str());
}

/// `run` must throw a hpmp::Error with this code whose message contains `part`.
template <class Run>
void throws(Run run, hpmp::ErrorCode code, const std::string& part, const char* file, int line) {
  try {
    run();
  } catch (const hpmp::Error& error) {
    equal(static_cast<int>(error.code()), static_cast<int>(code), error.what(), file, line);
    if (std::string(error.what()).find(part) != std::string::npos) return;
    failed(file, line, std::string("message lacks '") + part + "': " + error.what());
  }
  failed(file, line, "nothing was thrown");
}

inline int run_test(const Test& test) {
  try {
    test.run();
    return 0;
  } catch (const Failure& failure) {
    std::cerr << "FAILED " << test.name << "\n  " << failure.message << "\n";
  } catch (const std::exception& error) {
    std::cerr << "FAILED " << test.name << "\n  unexpected: " << error.what() << "\n";
  }
  return 1;
}

}  // namespace check

#define TEST(name)                                                   \
  static void name();                                                \
  static const check::Registration name##_registration(#name, name); \
  static void name()
#define CHECK(condition) ((condition) ? void() : check::failed(__FILE__, __LINE__, #condition))
#define CHECK_EQ(a, b) check::equal((a), (b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_NEAR(a, b, tolerance) \
  check::near((a), (b), (tolerance), #a " ~ " #b, __FILE__, __LINE__)
#define CHECK_THROWS(expression, code, part) \
  check::throws([&] { (void)(expression); }, (code), (part), __FILE__, __LINE__)

/// With arguments, runs only the tests whose name contains one of them.
int main(int argc, char** argv) {
  int failures = 0, count = 0;
  for (const check::Test& test : check::tests()) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) wanted = wanted || std::strstr(test.name, argv[i]) != nullptr;
    if (!wanted) continue;
    ++count;
    failures += check::run_test(test);
  }
  std::printf("%d tests, %d failed\n", count, failures);
  return failures == 0 ? 0 : 1;
}
