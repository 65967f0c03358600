// A program outside the tree: counts a network's computations with the installed library.
#include <stdio.h>
#include <pleach/data.h>
#include <pleach/device.h>
#include <pleach/graph.h>
#include <pleach/run.h>
#include <pleach/session.h>

int main(void)
{
    pleach_ctx *ctx = NULL;
    pleach_graph *graph = NULL;
    pleach_status status = pleach_ctx_create(&ctx);

    if (status == PLEACH_OK)
        status = pleach_graph_create(ctx, "resnet20", 3, 32, 32, 10, &graph);
    if (status == PLEACH_OK)
        printf("%lld MACs\n", pleach_graph_macs(graph));
    else
        fprintf(stderr, "%s\n", pleach_error(ctx));
    pleach_graph_destroy(&graph);
    pleach_ctx_destroy(&ctx);
    return pleach_status_exit_code(status);
}
