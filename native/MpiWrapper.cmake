# Compile and link one target against the MPI that a compiler wrapper names.

# Asks the wrapper (`--showme` of Open MPI, `-show` of MPICH and Intel MPI) for its flags, so that
# the project's own compiler and rpath stay in charge.
function(hpmp_mpi_words wrapper out)
  foreach(question --showme -show)
    execute_process(COMMAND ${wrapper} ${question} OUTPUT_VARIABLE answer ERROR_QUIET
      RESULT_VARIABLE status OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(status EQUAL 0 AND answer MATCHES "-I|-l")
      separate_arguments(words UNIX_COMMAND "${answer}")
      set(${out} ${words} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "'${wrapper}' answers neither -show nor --showme; give the mpicc of an MPI")
endfunction()

function(hpmp_link_mpi target wrapper)
  hpmp_mpi_words(${wrapper} words)
  set(rpath "${HPMP_RPATH}")
  foreach(word ${words})
    if(word MATCHES "^-I(.+)")
      target_include_directories(${target} SYSTEM PRIVATE ${CMAKE_MATCH_1})
    elseif(word MATCHES "^-L(.+)")
      target_link_options(${target} PRIVATE ${word})
      # A wheel's folder is this build's, which may be a temporary one; a machine's MPI stays.
      if(NOT HPMP_MPI_FROM_WHEEL)
        list(APPEND rpath ${CMAKE_MATCH_1})
      endif()
    elseif(word MATCHES "^-l")
      target_link_libraries(${target} PRIVATE ${word})
    endif()
  endforeach()
  message(STATUS "MPI: ${wrapper}: ${words}")
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "${rpath}")
  if(NOT HPMP_MPI_NAME)
    set(HPMP_MPI_NAME ${wrapper})
  endif()
  target_compile_definitions(${target} PRIVATE OMPI_SKIP_MPICXX=1 MPICH_SKIP_MPICXX=1
    "HPMP_MPI_NAME=\"${HPMP_MPI_NAME}\"")
endfunction()
