// Folders of pictures: what is in them, and data sets of it.
#ifndef PLC_DATA_FOLDER_H
#define PLC_DATA_FOLDER_H

#include <stdbool.h>
#include <data/data.h>
#include <data/spec.h>

enum { PLC_MAX_CLASSES = 65535 };

typedef struct plc_folder_file {
    char *path; // owned, below the folder
    uint16_t label;
    bool val;
} plc_folder_file;

// Something that is not as it should be.
typedef struct plc_folder_problem {
    char *path, *why; // owned; `path` below the folder
} plc_folder_problem;

// What a folder holds, in the order of names. Works when zero.
typedef struct plc_folder {
    int fd;                       // owned; 0: not open
    char **class_names;           // owned, sorted
    plc_folder_file *files;       // owned
    plc_folder_problem *problems; // owned
    size_t n_classes, n_files, n_problems;
    size_t classes_capacity, files_capacity, problems_capacity;
    int n_ignored; // files and folders whose name is none of a picture; hidden ones are not counted
    bool is_split; // it has train/ and val/; else files are marked for validation as the spec says
} plc_folder;

// Lists the folder; opens no picture. Links and other things that are no files, classes without
// pictures and classes of val/ that train/ has not are noted as problems, not failures. Fails with
// PLEACH_EIO (the folder cannot be read) and PLEACH_EINPUT (no classes, too many files).
pleach_status plc_folder_list(pleach_ctx *ctx, const plc_data_spec *spec, plc_folder *folder);
pleach_status plc_folder_note(pleach_ctx *ctx, plc_folder *folder, const char *path,
                              const char *why);
void plc_folder_finish(plc_folder *folder);

// The data set "folder:TEXT"; a problem is a failure.
pleach_status plc_folder_read(pleach_ctx *ctx, const char *text, pleach_dataset *dataset);

#endif
