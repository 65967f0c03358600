// The source that a compiler of FPGAs gets: all programs that sessions on a device have asked for, in one file.
#ifndef PLC_KERNEL_BOARD_SOURCE_H
#define PLC_KERNEL_BOARD_SOURCE_H

#include <base/text.h>
#include <kernel/manifest.h>

// Appends the source to `text`, and to `manifest` the programs with their kernels; sets its lanes and tile. The
// device maps lanes to vectors and has a fixed tile.
pleach_status plc_board_source(pleach_device *device, plc_text *text, plc_manifest *manifest);

#endif
