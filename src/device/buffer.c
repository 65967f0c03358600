// Device buffers: allocation with accounts, sub-buffers, copies.
#include <device/device.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <device/quirks.h>

static pleach_status check(pleach_device *device, cl_int error, const char *call,
                           const plc_buffer *buffer)
{
    const pleach_status status = plc_cl_check(device->ctx, error, call);

    return status == PLEACH_OK ? status
                               : plc_fail_in(device->ctx, status, "buffer '%s' of %zu bytes",
                                             buffer->name, buffer->bytes);
}

pleach_status plc_buffer_allocate(pleach_device *device, const char *name, size_t bytes,
                                  plc_buffer **out)
{
    pleach_status status = PLEACH_OK;
    plc_buffer *buffer = NULL;
    cl_int error = CL_SUCCESS;

    if (bytes == 0)
        bytes = sizeof(float); // OpenCL has no empty buffers
    if (bytes > device->info->max_allocation_bytes)
        FAIL(device->ctx, PLEACH_ENOMEM,
             "buffer '%s' needs %zu bytes, '%s' allocates at most %zu at once", name, bytes,
             device->info->name, device->info->max_allocation_bytes);
    TRY(plc_alloc(device->ctx, 1, sizeof *buffer, &buffer));
    buffer->name = name;
    buffer->bytes = bytes;
    buffer->mem =
        device->cl->clCreateBuffer(device->context, CL_MEM_READ_WRITE, bytes, NULL, &error);
    if (error != CL_SUCCESS)
        buffer->mem = NULL;
    status = check(device, error, "clCreateBuffer", buffer);
    if (status != PLEACH_OK) {
        plc_fail_in(device->ctx, status, "%zu bytes are in use on '%s'", device->memory_bytes,
                    device->info->name);
        goto done;
    }
    buffer->counted = true;
    device->memory_bytes += bytes;
    if (device->memory_bytes > device->peak_memory_bytes)
        device->peak_memory_bytes = device->memory_bytes;
    *out = buffer;
    buffer = NULL;
done:
    plc_buffer_destroy(device, &buffer);
    return status;
}

pleach_status plc_buffer_create(pleach_device *device, const char *name, size_t bytes,
                                plc_buffer **out)
{
    pleach_status status = PLEACH_OK;
    plc_buffer *buffer = NULL;

    TRY(plc_buffer_allocate(device, name, bytes, &buffer));
    TRY(plc_buffer_fill(device, buffer, 0, buffer->bytes / sizeof(unsigned) * sizeof(unsigned), 0));
    *out = buffer;
    buffer = NULL;
done:
    plc_buffer_destroy(device, &buffer);
    return status;
}

pleach_status plc_buffer_upload(pleach_device *device, const char *name, const void *data,
                                size_t bytes, plc_buffer **out)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_buffer_create(device, name, bytes, out));
    TRY(plc_buffer_write(device, *out, 0, bytes, data));
done:
    return status;
}

void plc_buffer_destroy(pleach_device *device, plc_buffer **buffer)
{
    plc_buffer *b = *buffer;

    if (b == NULL)
        return;
    // The last made goes first: NVIDIA's driver crashes where one goes before a later one that it overlaps.
    while (b->n_parts > 0)
        device->cl->clReleaseMemObject(b->parts[--b->n_parts]);
    free(b->parts);
    if (b->mem && !b->parent)
        device->cl->clReleaseMemObject(b->mem);
    if (b->counted)
        device->memory_bytes -= b->bytes;
    free(b);
    *buffer = NULL;
}

pleach_status plc_buffer_place(pleach_device *device, plc_buffer *buffer, plc_buffer *parent,
                               size_t offset_bytes)
{
    pleach_status status = PLEACH_OK;
    cl_int error = CL_SUCCESS;
    const cl_buffer_region region = {offset_bytes, buffer->bytes};

    TRY(plc_grow(device->ctx, &parent->parts, &parent->capacity, (size_t)parent->n_parts + 1));
    buffer->parent = parent;
    buffer->offset_bytes = offset_bytes;
    buffer->mem = device->cl->clCreateSubBuffer(parent->mem, CL_MEM_READ_WRITE,
                                                CL_BUFFER_CREATE_TYPE_REGION, &region, &error);
    if (error != CL_SUCCESS)
        buffer->mem = NULL;
    TRY(check(device, error, "clCreateSubBuffer", buffer));
    parent->parts[parent->n_parts++] = buffer->mem;
done:
    return status;
}

// The quirk whole_writes: changes [offset, offset + bytes) on the host, in a copy of the whole memory.
static pleach_status write_whole(pleach_device *device, const plc_buffer *buffer,
                                 size_t offset_bytes, size_t bytes, const void *data)
{
    pleach_status status = PLEACH_OK;
    char *all = NULL;

    for (; buffer->parent; buffer = buffer->parent)
        offset_bytes += buffer->offset_bytes;
    TRY(plc_alloc(device->ctx, buffer->bytes, 1, &all));
    TRY(plc_buffer_read(device, buffer, 0, buffer->bytes, all));
    memcpy(all + offset_bytes, data, bytes);
    status = check(device,
                   device->cl->clEnqueueWriteBuffer(device->queue, buffer->mem, CL_TRUE, 0,
                                                    buffer->bytes, all, 0, NULL, NULL),
                   "clEnqueueWriteBuffer", buffer);
done:
    free(all);
    return status;
}

static pleach_status fill_whole(pleach_device *device, const plc_buffer *buffer,
                                size_t offset_bytes, size_t bytes, unsigned pattern)
{
    pleach_status status = PLEACH_OK;
    unsigned *filled = NULL;

    TRY(plc_alloc(device->ctx, bytes / sizeof pattern, sizeof pattern, &filled));
    for (size_t i = 0; i < bytes / sizeof pattern; i++)
        filled[i] = pattern;
    TRY(write_whole(device, buffer, offset_bytes, bytes, filled));
done:
    free(filled);
    return status;
}

pleach_status plc_buffer_write(pleach_device *device, plc_buffer *buffer, size_t offset_bytes,
                               size_t bytes, const void *data)
{
    if (bytes == 0) // of a network without parameters; drivers refuse it
        return PLEACH_OK;
    if (plc_quirks_of(device->info).whole_writes)
        return write_whole(device, buffer, offset_bytes, bytes, data);
    return check(device,
                 device->cl->clEnqueueWriteBuffer(device->queue, buffer->mem, CL_TRUE, offset_bytes,
                                                  bytes, data, 0, NULL, NULL),
                 "clEnqueueWriteBuffer", buffer);
}

pleach_status plc_buffer_write_async(pleach_device *device, plc_buffer *buffer, size_t offset_bytes,
                                     size_t bytes, const void *data, cl_event *done)
{
    if (plc_quirks_of(device->info).whole_writes)
        return write_whole(device, buffer, offset_bytes, bytes, data); // no event: it is complete
    return check(device,
                 device->cl->clEnqueueWriteBuffer(device->queue, buffer->mem, CL_FALSE,
                                                  offset_bytes, bytes, data, 0, NULL, done),
                 "clEnqueueWriteBuffer", buffer);
}

pleach_status plc_buffer_read(pleach_device *device, const plc_buffer *buffer, size_t offset_bytes,
                              size_t bytes, void *data)
{
    if (bytes == 0)
        return PLEACH_OK;
    return check(device,
                 device->cl->clEnqueueReadBuffer(device->queue, buffer->mem, CL_TRUE, offset_bytes,
                                                 bytes, data, 0, NULL, NULL),
                 "clEnqueueReadBuffer", buffer);
}

pleach_status plc_buffer_fill(pleach_device *device, plc_buffer *buffer, size_t offset_bytes,
                              size_t bytes, unsigned pattern)
{
    if (bytes == 0)
        return PLEACH_OK;
    if (plc_quirks_of(device->info).whole_writes)
        return fill_whole(device, buffer, offset_bytes, bytes, pattern);
    return check(device,
                 device->cl->clEnqueueFillBuffer(device->queue, buffer->mem, &pattern,
                                                 sizeof pattern, offset_bytes, bytes, 0, NULL,
                                                 NULL),
                 "clEnqueueFillBuffer", buffer);
}

pleach_status plc_buffer_copy(pleach_device *device, const plc_buffer *from, size_t from_offset,
                              plc_buffer *to, size_t to_offset, size_t bytes)
{
    if (bytes == 0)
        return PLEACH_OK;
    return check(device,
                 device->cl->clEnqueueCopyBuffer(device->queue, from->mem, to->mem, from_offset,
                                                 to_offset, bytes, 0, NULL, NULL),
                 "clEnqueueCopyBuffer", to);
}
