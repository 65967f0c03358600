// MNIST's IDX files, plain or compressed: magic number, sizes (big-endian), bytes.
#include <data/data.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#include <base/file.h>
#include <base/memory.h>

// Bytes 0 0, type 8 (unsigned byte), number of dimensions.
enum { MAGIC_IMAGES = 0x00000803, MAGIC_LABELS = 0x00000801 };

// An IDX file being read. gzread passes plain files through.
typedef struct idx_file {
    char *path;    // owned
    gzFile stream; // owned
    size_t offset; // bytes read, after decompression
} idx_file;

static void close_file(idx_file *file)
{
    if (file->stream)
        gzclose(file->stream);
    free(file->path);
    *file = (idx_file){0};
}

// Opens dir/stem, or dir/stem.gz where there is none.
static pleach_status open_file(pleach_ctx *ctx, const char *dir, const char *stem, idx_file *file)
{
    pleach_status status = PLEACH_OK;
    char *plain = NULL;

    TRY(plc_path_join(ctx, dir, stem, &plain));
    if (plc_file_exists(plain)) {
        file->path = plain;
        plain = NULL;
    } else if (asprintf(&file->path, "%s.gz", plain) < 0) {
        file->path = NULL;
        FAIL(ctx, PLEACH_ENOMEM, "no memory for the path of '%s'", stem);
    }
    errno = 0;
    file->stream = gzopen(file->path, "rb");
    if (!file->stream && plain)
        FAIL(ctx, PLEACH_EIO, "%s: cannot open it, nor %s: %s", file->path, stem,
             errno ? strerror(errno) : "out of memory");
    if (!file->stream)
        FAIL(ctx, PLEACH_EIO, "%s: cannot open: %s", file->path,
             errno ? strerror(errno) : "out of memory");
done:
    free(plain);
    return status;
}

// Reads `size` bytes, which are `what`.
static pleach_status read_bytes(pleach_ctx *ctx, idx_file *file, void *data, size_t size,
                                const char *what)
{
    const size_t max_piece = 1u << 30; // gzread counts in int
    size_t done = 0;

    while (done < size) {
        const size_t piece = size - done < max_piece ? size - done : max_piece;
        const int got = gzread(file->stream, (char *)data + done, (unsigned)piece);

        if (got < 0) {
            int code = Z_OK;

            return plc_fail(ctx, PLEACH_EINPUT, "%s: cannot read behind byte %zu: %s", file->path,
                            file->offset, gzerror(file->stream, &code));
        }
        done += (size_t)got;
        file->offset += (size_t)got;
        if (got == 0)
            return plc_fail(ctx, PLEACH_EINPUT,
                            "%s: ends at byte %zu%s, %zu bytes of %s are missing" PLC_CUT_FILE,
                            file->path, file->offset,
                            gzdirect(file->stream) ? "" : " (decompressed)", size - done, what);
    }
    return PLEACH_OK;
}

static pleach_status read_u32(pleach_ctx *ctx, idx_file *file, uint32_t *value)
{
    uint8_t bytes[4] = {0};
    const pleach_status status = read_bytes(ctx, file, bytes, sizeof bytes, "the header");

    *value =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return status;
}

// The read that finds the end also makes zlib check length and checksum.
static pleach_status expect_end(pleach_ctx *ctx, idx_file *file)
{
    char extra = 0;
    int code = Z_OK;
    const int got = gzread(file->stream, &extra, 1);
    const char *reason = gzerror(file->stream, &code);

    if (got > 0)
        return plc_fail(ctx, PLEACH_EINPUT,
                        "%s: goes on behind byte %zu, where its header says that it ends",
                        file->path, file->offset);
    if (code != Z_OK && code != Z_STREAM_END)
        return plc_fail(ctx, PLEACH_EINPUT, "%s: damaged at its end, byte %zu (decompressed): %s",
                        file->path, file->offset, reason);
    return PLEACH_OK;
}

// Reads the magic number and `n_dims` sizes.
static pleach_status read_header(pleach_ctx *ctx, idx_file *file, uint32_t magic, uint32_t *dims,
                                 int n_dims)
{
    pleach_status status = PLEACH_OK;
    uint32_t found = 0;

    TRY(read_u32(ctx, file, &found));
    if (found != magic)
        FAIL(ctx, PLEACH_EINPUT,
             "%s: byte 0: magic number is 0x%08x, expected 0x%08x (IDX, unsigned bytes, %d "
             "dimensions)",
             file->path, found, magic, n_dims);
    for (int i = 0; i < n_dims; i++)
        TRY(read_u32(ctx, file, &dims[i]));
    if (dims[0] < 1 || dims[0] > PLC_MAX_IMAGES)
        FAIL(ctx, PLEACH_EINPUT, "%s: byte 4: count is %u, expected 1 to %d", file->path, dims[0],
             PLC_MAX_IMAGES);
done:
    return status;
}

// Deflate makes at most 1032 bytes of one: a header that claims more lies, and no memory is taken for it.
static pleach_status check_claim(pleach_ctx *ctx, const idx_file *file, const uint32_t dims[3])
{
    enum { MOST_BYTES_PER_BYTE = 1032 };
    const uint64_t claimed = (uint64_t)dims[0] * dims[1] * dims[2];
    struct stat info;

    if (stat(file->path, &info) != 0 || !S_ISREG(info.st_mode) ||
        claimed <= (uint64_t)info.st_size * MOST_BYTES_PER_BYTE)
        return PLEACH_OK;
    return plc_fail(
        ctx, PLEACH_EINPUT,
        "%s: byte 4: %u images of %u x %u cannot lie in %lld bytes, most bytes of images "
        "are missing" PLC_CUT_FILE,
        file->path, dims[0], dims[1], dims[2], (long long)info.st_size);
}

static pleach_status read_images(pleach_ctx *ctx, const char *dir, const char *stem,
                                 pleach_dataset *dataset, plc_split *split)
{
    pleach_status status = PLEACH_OK;
    idx_file file = {0};
    uint32_t dims[3] = {0};
    const uint64_t max_bytes = (uint64_t)PLC_MAX_SPLIT_MIB << 20;

    TRY(open_file(ctx, dir, stem, &file));
    TRY(read_header(ctx, &file, MAGIC_IMAGES, dims, 3));
    for (int i = 1; i < 3; i++)
        if (dims[i] < 1 || dims[i] > PLC_MAX_IMAGE_SIDE)
            FAIL(ctx, PLEACH_EINPUT, "%s: byte %d: %s is %u, expected 1 to %d pixels", file.path,
                 4 + 4 * i, i == 1 ? "height" : "width", dims[i], PLC_MAX_IMAGE_SIDE);
    if ((uint64_t)dims[0] * dims[1] * dims[2] > max_bytes)
        FAIL(ctx, PLEACH_EINPUT, "%s: byte 4: %u images of %u x %u are more than %d MiB", file.path,
             dims[0], dims[1], dims[2], PLC_MAX_SPLIT_MIB);
    TRY(check_claim(ctx, &file, dims));
    if (dataset->height && (dataset->height != (int)dims[1] || dataset->width != (int)dims[2]))
        FAIL(ctx, PLEACH_EINPUT, "%s: byte 8: images are %u x %u, those of the other split %d x %d",
             file.path, dims[1], dims[2], dataset->height, dataset->width);
    split->n_images = (int)dims[0];
    split->image_bytes = (size_t)dims[1] * dims[2];
    TRY(plc_alloc(ctx, dims[0], split->image_bytes, &split->images));
    TRY(read_bytes(ctx, &file, split->images, dims[0] * split->image_bytes, "images"));
    TRY(expect_end(ctx, &file));
    dataset->channels = 1;
    dataset->height = (int)dims[1];
    dataset->width = (int)dims[2];
done:
    close_file(&file);
    return status;
}

static pleach_status read_labels(pleach_ctx *ctx, const char *dir, const char *stem, int n_classes,
                                 plc_split *split)
{
    pleach_status status = PLEACH_OK;
    idx_file file = {0};
    uint8_t *bytes = NULL;
    uint32_t n = 0;

    TRY(open_file(ctx, dir, stem, &file));
    TRY(read_header(ctx, &file, MAGIC_LABELS, &n, 1));
    if ((int)n != split->n_images)
        FAIL(ctx, PLEACH_EINPUT, "%s: byte 4: count is %u, but there are %d images", file.path, n,
             split->n_images);
    TRY(plc_alloc(ctx, n, 1, &bytes));
    TRY(plc_alloc(ctx, n, sizeof *split->labels, &split->labels));
    TRY(read_bytes(ctx, &file, bytes, n, "labels"));
    TRY(expect_end(ctx, &file));
    for (uint32_t i = 0; i < n; i++) {
        if (bytes[i] >= n_classes)
            FAIL(ctx, PLEACH_EINPUT, "%s: byte %u: label is %d, expected 0 to %d", file.path, 8 + i,
                 bytes[i], n_classes - 1);
        split->labels[i] = bytes[i];
    }
done:
    free(bytes);
    close_file(&file);
    return status;
}

pleach_status plc_idx_read(pleach_ctx *ctx, const char *dir, pleach_dataset *dataset)
{
    pleach_status status = PLEACH_OK;
    const int n_classes = dataset->n_classes;

    TRY(read_images(ctx, dir, "train-images-idx3-ubyte", dataset, &dataset->train));
    TRY(read_labels(ctx, dir, "train-labels-idx1-ubyte", n_classes, &dataset->train));
    TRY(read_images(ctx, dir, "t10k-images-idx3-ubyte", dataset, &dataset->test));
    TRY(read_labels(ctx, dir, "t10k-labels-idx1-ubyte", n_classes, &dataset->test));
done:
    return status;
}
