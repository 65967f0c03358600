// Platforms and devices: what there is, and which one a user's words choose.
#include <device/list.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <base/memory.h>
#include <base/text.h>
#include <device/quirks.h>

enum { MAX_PLATFORMS = 32, MAX_DEVICES = 64, MAX_DIMENSIONS = 16 };

static pleach_status platform_text(pleach_ctx *ctx, const plc_cl *cl, cl_platform_id platform,
                                   cl_platform_info what, const char **text)
{
    pleach_status status = PLEACH_OK;
    size_t size = 0;
    char *buffer = NULL;

    CL_TRY(ctx, cl, clGetPlatformInfo(platform, what, 0, NULL, &size));
    TRY(plc_alloc(ctx, size + 1, 1, &buffer));
    CL_TRY(ctx, cl, clGetPlatformInfo(platform, what, size, buffer, NULL));
    plc_utf8_mend(buffer);
    *text = buffer;
    buffer = NULL;
done:
    free(buffer);
    return status;
}

static pleach_status device_text(pleach_ctx *ctx, const plc_cl *cl, cl_device_id device,
                                 cl_device_info what, const char **text)
{
    pleach_status status = PLEACH_OK;
    size_t size = 0;
    char *buffer = NULL;

    CL_TRY(ctx, cl, clGetDeviceInfo(device, what, 0, NULL, &size));
    TRY(plc_alloc(ctx, size + 1, 1, &buffer));
    CL_TRY(ctx, cl, clGetDeviceInfo(device, what, size, buffer, NULL));
    plc_utf8_mend(buffer);
    *text = buffer;
    buffer = NULL;
done:
    free(buffer);
    return status;
}

static const char *kind_name(cl_device_type type)
{
    return type & CL_DEVICE_TYPE_GPU           ? "gpu"
           : type & CL_DEVICE_TYPE_CPU         ? "cpu"
           : type & CL_DEVICE_TYPE_ACCELERATOR ? "accelerator"
                                               : "other";
}

// Reads one device's facts. Strings already taken are freed with the list.
static pleach_status read_info(pleach_ctx *ctx, const plc_cl *cl, cl_platform_id platform,
                               cl_device_id device, pleach_device_info *info, bool *unavailable)
{
    pleach_status status = PLEACH_OK;
    cl_device_type type = 0;
    cl_uint units = 0, clock = 0, width = 0, align_bits = 0;
    cl_ulong global = 0, alloc = 0, local = 0;
    size_t group = 0, items[MAX_DIMENSIONS] = {0};
    cl_bool compiler = CL_FALSE, unified = CL_FALSE, available = CL_FALSE;
    const char *extensions = NULL;

    TRY(platform_text(ctx, cl, platform, CL_PLATFORM_NAME, &info->platform_name));
    TRY(platform_text(ctx, cl, platform, CL_PLATFORM_VERSION, &info->platform_version));
    TRY(device_text(ctx, cl, device, CL_DEVICE_NAME, &info->name));
    TRY(device_text(ctx, cl, device, CL_DEVICE_VENDOR, &info->vendor));
    TRY(device_text(ctx, cl, device, CL_DRIVER_VERSION, &info->driver_version));
    TRY(device_text(ctx, cl, device, CL_DEVICE_VERSION, &info->cl_version));
    TRY(device_text(ctx, cl, device, CL_DEVICE_EXTENSIONS, &extensions));
#define FACT(what, variable)                                                                       \
    CL_TRY(ctx, cl, clGetDeviceInfo(device, what, sizeof variable, &variable, NULL))
    FACT(CL_DEVICE_TYPE, type);
    FACT(CL_DEVICE_MAX_COMPUTE_UNITS, units);
    FACT(CL_DEVICE_MAX_CLOCK_FREQUENCY, clock);
    FACT(CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, width);
    FACT(CL_DEVICE_GLOBAL_MEM_SIZE, global);
    FACT(CL_DEVICE_MAX_MEM_ALLOC_SIZE, alloc);
    FACT(CL_DEVICE_LOCAL_MEM_SIZE, local);
    FACT(CL_DEVICE_MAX_WORK_GROUP_SIZE, group);
    FACT(CL_DEVICE_MAX_WORK_ITEM_SIZES, items);
    FACT(CL_DEVICE_MEM_BASE_ADDR_ALIGN, align_bits);
    FACT(CL_DEVICE_COMPILER_AVAILABLE, compiler);
    FACT(CL_DEVICE_HOST_UNIFIED_MEMORY, unified);
    FACT(CL_DEVICE_AVAILABLE, available);
#undef FACT
    info->kind = kind_name(type);
    info->compute_units = (int)units;
    info->clock_mhz = (int)clock;
    info->vector_width_float = (int)width;
    info->global_memory_bytes = global;
    info->max_allocation_bytes = alloc;
    info->local_memory_bytes = local;
    info->max_work_group_size = group < items[0] ? group : items[0]; // our groups are rows
    info->base_alignment_bytes = (int)(align_bits / 8);
    info->has_compiler = compiler;
    info->unified_memory = unified;
    *unavailable = !available;
    info->has_fp16 = strstr(extensions, "cl_khr_fp16") != NULL;
    info->has_fp64 = strstr(extensions, "cl_khr_fp64") != NULL;
done:
    free((void *)extensions);
    return status;
}

static void free_info(pleach_device_info *info)
{
    free((void *)info->platform_name);
    free((void *)info->platform_version);
    free((void *)info->name);
    free((void *)info->vendor);
    free((void *)info->driver_version);
    free((void *)info->cl_version);
    *info = (pleach_device_info){0};
}

// One broken driver must not hide the devices of all others.
static void leave_out(pleach_ctx *ctx, plc_device_table *table, const char *what, int platform,
                      int device)
{
    table->n_left_out++;
    if (device < 0)
        plc_log(ctx, PLEACH_LOG_WARNING, "%s %d is left out: %s", what, platform,
                pleach_error(ctx));
    else
        plc_log(ctx, PLEACH_LOG_WARNING, "%s %d:%d is left out: %s", what, platform, device,
                pleach_error(ctx));
}

static pleach_status append_platform(pleach_ctx *ctx, const plc_cl *cl, cl_platform_id platform,
                                     int platform_index, plc_device_table *table)
{
    pleach_status status = PLEACH_OK;
    cl_device_id devices[MAX_DEVICES];
    cl_uint n_devices = 0;
    const cl_int error =
        cl->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, devices, &n_devices);

    if (error == CL_DEVICE_NOT_FOUND)
        return PLEACH_OK;
    TRY(plc_cl_check(ctx, error, "clGetDeviceIDs"));
    if (n_devices > MAX_DEVICES)
        n_devices = MAX_DEVICES;
    for (cl_uint i = 0; i < n_devices; i++) {
        const size_t needed = (size_t)table->list.n_items + 1;
        TRY(plc_grow(ctx, &table->list.items, &table->info_capacity, needed));
        TRY(plc_grow(ctx, &table->ids, &table->id_capacity, needed));
        TRY(plc_grow(ctx, &table->platforms, &table->platform_capacity, needed));
        TRY(plc_grow(ctx, &table->unavailable, &table->unavailable_capacity, needed));
        pleach_device_info *info = &table->list.items[table->list.n_items];
        bool *unavailable = &table->unavailable[table->list.n_items];
        table->ids[table->list.n_items] = devices[i];
        table->platforms[table->list.n_items] = platform;
        table->list.n_items++;
        info->platform = platform_index;
        info->index = (int)i;
        if (read_info(ctx, cl, platform, devices[i], info, unavailable) != PLEACH_OK) {
            leave_out(ctx, table, "device", platform_index, (int)i);
            free_info(info);
            table->list.n_items--;
        }
    }
done:
    return status;
}

pleach_status plc_device_table_create(pleach_ctx *ctx, const plc_cl *cl, plc_device_table **out)
{
    pleach_status status = PLEACH_OK;
    plc_device_table *table = NULL;
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint n_platforms = 0;

    TRY(plc_alloc(ctx, 1, sizeof *table, &table));
    const cl_int error = cl->clGetPlatformIDs(MAX_PLATFORMS, platforms, &n_platforms);
    const cl_int no_platform = -1001; // CL_PLATFORM_NOT_FOUND_KHR of the ICD loader
    if (error == no_platform)
        n_platforms = 0;
    else
        TRY(plc_cl_check(ctx, error, "clGetPlatformIDs"));
    if (n_platforms > MAX_PLATFORMS)
        n_platforms = MAX_PLATFORMS;
    for (cl_uint i = 0; i < n_platforms; i++)
        if (append_platform(ctx, cl, platforms[i], (int)i, table) != PLEACH_OK)
            leave_out(ctx, table, "platform", (int)i, -1);
    if (table->list.n_items == 0 && table->n_left_out > 0)
        status = plc_fail_in(ctx, PLEACH_EDEVICE,
                             "no OpenCL device can be used, %d left out, the last because",
                             table->n_left_out);
    TRY(status);
    *out = table;
    table = NULL;
done:
    plc_device_table_destroy(&table);
    return status;
}

void plc_device_table_destroy(plc_device_table **table)
{
    if (*table == NULL)
        return;
    for (int i = 0; i < (*table)->list.n_items; i++)
        free_info(&(*table)->list.items[i]);
    free((*table)->list.items);
    free((*table)->ids);
    free((*table)->platforms);
    free((*table)->unavailable);
    free(*table);
    *table = NULL;
}

pleach_status pleach_device_list_create(pleach_ctx *ctx, pleach_device_list **list)
{
    plc_device_table *table = NULL;
    const pleach_status status = plc_device_table_create(ctx, &plc_cl_loader, &table);

    *list = table ? &table->list : NULL;
    return status;
}

void pleach_device_list_destroy(pleach_device_list **list)
{
    plc_device_table *table = (plc_device_table *)*list; // the list is its first member

    plc_device_table_destroy(&table);
    *list = NULL;
}

bool plc_device_is_emulator(const pleach_device_info *info)
{
    return plc_quirks_of(info).emulates;
}

bool plc_device_has_obstacle(const plc_device_table *table, int row, char why[PLC_OBSTACLE_MAX])
{
    const char *version = table->list.items[row].cl_version;
    const size_t size = why ? PLC_OBSTACLE_MAX : 0;
    int major = 0, minor = 0;

    if (table->unavailable && table->unavailable[row]) {
        snprintf(why, size, "is not available");
        return true;
    }
    if (!version || sscanf(version, "OpenCL %d.%d", &major, &minor) != 2 || major > 1 || minor > 1)
        return false;
    snprintf(why, size, "offers OpenCL %d.%d, 1.2 is needed", major, minor);
    return true;
}

static int find_first(const plc_device_table *table, const char *kind, bool emulates,
                      bool has_obstacle)
{
    for (int i = 0; i < table->list.n_items; i++)
        if (strcmp(table->list.items[i].kind, kind) == 0 &&
            plc_device_is_emulator(&table->list.items[i]) == emulates &&
            plc_device_has_obstacle(table, i, NULL) == has_obstacle)
            return i;
    return -1;
}

// What is taken where nobody says more, in this order.
static const char *const usual_kinds[] = {"gpu", "cpu"};
enum { N_USUAL_KINDS = sizeof usual_kinds / sizeof *usual_kinds };

// The first of these kinds, those that come first before others. Emulators, if at all, where there is nothing else, also
// nothing that cannot be used: that is taken last of its like, to be refused by name.
static int find_kinds(const plc_device_table *table, const char *const *kinds, int n_kinds,
                      bool emulators)
{
    for (int emulates = 0; emulates <= emulators; emulates++)
        for (int obstacle = 0; obstacle < 2; obstacle++)
            for (int k = 0; k < n_kinds; k++) {
                const int found = find_first(table, kinds[k], emulates == 1, obstacle == 1);
                if (found >= 0)
                    return found;
            }
    return -1;
}

static bool has_name(const pleach_device_info *info, bool of_device, const char *part)
{
    return strcasestr(of_device ? info->name : info->platform_name, part) != NULL;
}

// A part of a name: of the platform before the device's, because PoCL's devices are called after the
// CPU and its vendor; emulators last, because nobody who says "intel" means one.
static int find_name(const plc_device_table *table, const char *part)
{
    enum { EMULATES = 4, HAS_OBSTACLE = 2, OF_DEVICE = 1 };

    for (int rank = 0; rank < 8; rank++)
        for (int i = 0; i < table->list.n_items; i++) {
            const pleach_device_info *info = &table->list.items[i];
            if (plc_device_is_emulator(info) == ((rank & EMULATES) != 0) &&
                plc_device_has_obstacle(table, i, NULL) == ((rank & HAS_OBSTACLE) != 0) &&
                has_name(info, rank & OF_DEVICE, part))
                return i;
        }
    return -1;
}

static int find_choice(const plc_device_table *table, const char *choice)
{
    const pleach_device_list *list = &table->list;
    int platform, index, used = 0;

    if (sscanf(choice, "%d:%d%n", &platform, &index, &used) == 2 && choice[used] == '\0') {
        for (int i = 0; i < list->n_items; i++)
            if (list->items[i].platform == platform && list->items[i].index == index)
                return i;
        return -1;
    }
    for (int k = 0; k < N_USUAL_KINDS; k++)
        if (strcasecmp(choice, usual_kinds[k]) == 0)
            return find_kinds(table, &usual_kinds[k], 1, false);
    if (strcasecmp(choice, "fpga") == 0 || strcasecmp(choice, "accelerator") == 0)
        return find_kinds(table, (const char *const[]){"accelerator"}, 1, true);
    return find_name(table, choice);
}

// A number as other programs count devices. Some name has its digits; longer ones, as "4090", are parts of names.
static bool is_index(const char *choice)
{
    enum { MOST_DIGITS = 2 };

    return choice[strspn(choice, "0123456789")] == '\0' && strlen(choice) <= MOST_DIGITS;
}

pleach_status plc_device_table_choose(pleach_ctx *ctx, const plc_device_table *table,
                                      const char *choice, int *chosen)
{
    const pleach_device_list *list = &table->list;

    if (list->n_items == 0)
        return plc_fail(ctx, PLEACH_EDEVICE,
                        "no OpenCL device found; install a platform: `apt-get install "
                        "pocl-opencl-icd` (any CPU), intel-opencl-icd (Intel GPUs), "
                        "mesa-opencl-icd (AMD GPUs) or your vendor's driver");
    if (choice == NULL || choice[0] == '\0') {
        *chosen = find_kinds(table, usual_kinds, N_USUAL_KINDS, false);
        if (*chosen < 0)
            return plc_fail(ctx, PLEACH_EDEVICE,
                            "no GPU and no CPU device, only others; name one with --device "
                            "(`pleach devices` lists them)");
        return PLEACH_OK;
    }
    if (is_index(choice))
        return plc_fail(ctx, PLEACH_EUSAGE,
                        "device '%s' is a number alone; write PLATFORM:INDEX as `pleach devices` "
                        "lists them",
                        choice);
    *chosen = find_choice(table, choice);
    if (*chosen < 0) {
        char known[1024] = "";
        for (int i = 0; i < list->n_items; i++) {
            const size_t length = strlen(known);
            snprintf(known + length, sizeof known - length, "%s%d:%d %s (%s)", i ? ", " : "",
                     list->items[i].platform, list->items[i].index, list->items[i].name,
                     list->items[i].kind);
        }
        return plc_fail(ctx, PLEACH_EDEVICE, "no device matches '%s'; there are: %s", choice,
                        known);
    }
    return PLEACH_OK;
}
