// Marks a function that the host compiler and nvcc both compile from the same text.
#pragma once

#if defined(__CUDACC__)
#define MLP_GIBBS_HD __host__ __device__ __forceinline__
#else
#define MLP_GIBBS_HD inline
#endif
