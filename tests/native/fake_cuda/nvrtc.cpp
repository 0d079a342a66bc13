// An NVRTC that only looks whether every file that the text includes was given to it.
#include <cstddef>
#include <cstring>
#include <set>
#include <string>

namespace {

struct Program {
  std::string text, log;
  std::set<std::string> names;
};

Program& of(void* program) { return *static_cast<Program*>(program); }

}  // namespace

#define HPMP_FAKE extern "C" __attribute__((visibility("default"))) int

HPMP_FAKE nvrtcCreateProgram(void** program, const char* text, const char*, int count,
                             const char* const* texts, const char* const* names) {
  auto* made = new Program{text, "", {}};
  for (int k = 0; k < count; ++k) {
    made->text += texts[k];
    made->names.insert(names[k]);
  }
  return *program = made, 0;
}
HPMP_FAKE nvrtcCompileProgram(void* program, int, const char* const*) {
  const std::string mark = "\n#include \"";
  const std::string text = "\n" + of(program).text;
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    const std::size_t begin = at + mark.size();
    const std::string name = text.substr(begin, text.find('"', begin) - begin);
    if (of(program).names.count(name) == 0) of(program).log += "no file " + name + "\n";
  }
  return of(program).log.empty() ? 0 : 6;
}
HPMP_FAKE nvrtcGetProgramLogSize(void* program, std::size_t* bytes) {
  return *bytes = of(program).log.size() + 1, 0;
}
HPMP_FAKE nvrtcGetProgramLog(void* program, char* log) {
  return std::strcpy(log, of(program).log.c_str()), 0;
}
HPMP_FAKE nvrtcGetCUBINSize(void*, std::size_t* bytes) { return *bytes = 1, 0; }
HPMP_FAKE nvrtcGetCUBIN(void*, char* cubin) { return *cubin = 0, 0; }
HPMP_FAKE nvrtcDestroyProgram(void** program) { return delete &of(*program), 0; }
