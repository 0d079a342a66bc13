# The GPU backend: host code that needs nothing of CUDA to be built, kernels by nvcc where there is
# one, convolutions by cuDNN where its headers are.

# The archs that this nvcc knows of those that we build for, and PTX for those to come.
function(hpmp_gencode nvcc result)
  execute_process(COMMAND ${nvcc} --list-gpu-code OUTPUT_VARIABLE known ERROR_QUIET)
  set(flags "")
  foreach(arch 80 90 100)
    if(known MATCHES "sm_${arch}[\r\n]")
      list(APPEND flags -gencode arch=compute_${arch},code=sm_${arch})
    endif()
  endforeach()
  list(APPEND flags -gencode arch=compute_80,code=compute_80)
  set(${result} ${flags} PARENT_SCOPE)
endfunction()

# kernel_text.cpp: the files of kernels/ as string literals, for NVRTC.
function(hpmp_write_kernel_text folder result)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.h ${folder}/*.cu)
  string(CONCAT text "// Made by Cuda.cmake.\n#include \"engine/cuda/kernel_text.h\"\n"
    "namespace hpmp::cuda {\nconst std::vector<KernelText>& kernel_texts() {\n"
    "static const std::vector<KernelText> all{\n")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME)
    file(READ ${file} content)
    string(APPEND text "{\"engine/cuda/kernels/${name}\", R\"hpmp(${content})hpmp\"},\n")
  endforeach()
  string(APPEND text "};\nreturn all;\n}\n}  // namespace hpmp::cuda\n")
  set(target ${CMAKE_CURRENT_BINARY_DIR}/kernel_text.cpp)
  file(CONFIGURE OUTPUT ${target} CONTENT "@text@" @ONLY)
  set(${result} ${target} PARENT_SCOPE)
endfunction()

# The fatbin of all kernels, embedded by kernel_image.cpp.
function(hpmp_embed_fatbin folder)
  set(fatbin ${CMAKE_CURRENT_BINARY_DIR}/kernels.fatbin)
  file(GLOB parts CONFIGURE_DEPENDS ${folder}/kernels/*.h ${folder}/kernels/*.cu)
  hpmp_gencode(${HPMP_NVCC} gencode)
  add_custom_command(OUTPUT ${fatbin}
    COMMAND ${HPMP_NVCC} -std=c++17 -O3 -fatbin ${gencode} -I${CMAKE_CURRENT_SOURCE_DIR}
      ${folder}/kernels/all.cu -o ${fatbin}
    DEPENDS ${parts} COMMENT "GPU kernels by ${HPMP_NVCC}" VERBATIM)
  set_source_files_properties(${folder}/kernel_image.cpp PROPERTIES
    COMPILE_DEFINITIONS "HPMP_KERNEL_FATBIN=\"${fatbin}\"" OBJECT_DEPENDS ${fatbin})
endfunction()

# Leaves of `sources` what is to be built, and adds what is generated.
function(hpmp_choose_cuda_sources sources)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/engine/cuda)
  set(chosen ${${sources}})
  if(NOT HPMP_CUDA)
    list(FILTER chosen EXCLUDE REGEX "/engine/cuda/")
    list(APPEND chosen ${folder}/absent/backend.cpp)
    set(${sources} ${chosen} PARENT_SCOPE)
    return()
  endif()
  list(FILTER chosen EXCLUDE REGEX "/engine/cuda/absent/")
  find_program(HPMP_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin)
  find_path(HPMP_CUDNN_FRONTEND_INCLUDE cudnn_frontend.h)
  find_path(HPMP_CUDNN_INCLUDE cudnn.h HINTS $ENV{CUDNN_PATH}/include)
  find_path(HPMP_CUDA_INCLUDE cuda_runtime.h HINTS $ENV{CUDA_HOME}/include)
  set(cudnn OFF)
  if(HPMP_CUDNN_FRONTEND_INCLUDE AND HPMP_CUDNN_INCLUDE AND HPMP_CUDA_INCLUDE)
    set(cudnn ON)
  endif()
  if(HPMP_CUDA STREQUAL "ON" AND NOT (HPMP_NVCC AND cudnn))
    message(FATAL_ERROR "HPMP_CUDA=ON wants nvcc ('${HPMP_NVCC}') and the folders of "
      "cudnn_frontend.h ('${HPMP_CUDNN_FRONTEND_INCLUDE}'), cudnn.h ('${HPMP_CUDNN_INCLUDE}') and "
      "cuda_runtime.h ('${HPMP_CUDA_INCLUDE}'); give HPMP_NVCC, HPMP_CUDNN_FRONTEND_INCLUDE, "
      "HPMP_CUDNN_INCLUDE and HPMP_CUDA_INCLUDE, or HPMP_CUDA=AUTO")
  endif()
  if(HPMP_NVCC)
    hpmp_embed_fatbin(${folder})
  endif()
  if(cudnn)
    set_source_files_properties(${folder}/conv_plans.cpp PROPERTIES INCLUDE_DIRECTORIES
      "${HPMP_CUDNN_FRONTEND_INCLUDE};${HPMP_CUDNN_INCLUDE};${HPMP_CUDA_INCLUDE}"
      COMPILE_OPTIONS "-w")
  else()
    list(FILTER chosen EXCLUDE REGEX "/engine/cuda/conv_plans\\.cpp$")
    list(APPEND chosen ${folder}/absent/conv_plans.cpp)
  endif()
  hpmp_write_kernel_text(${folder}/kernels text)
  list(APPEND chosen ${text})
  message(STATUS "GPU kernels: ${HPMP_NVCC}; cuDNN: ${cudnn}")
  set(${sources} ${chosen} PARENT_SCOPE)
endfunction()
