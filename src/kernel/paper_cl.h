// An OpenCL of paper: a board that is not there, to learn which kernels a network asks for.
//
// Sessions can be made on it on any machine, without a driver: it has the facts of an FPGA board, gives out
// handles, does nothing when a kernel is launched, and reads zeros. Programs and kernels are noted by
// plc_kernels (plc_kernels_asked), as on any device.
#ifndef PLC_KERNEL_PAPER_CL_H
#define PLC_KERNEL_PAPER_CL_H

#include <device/cl.h>

extern const plc_cl plc_paper_cl;

#endif
