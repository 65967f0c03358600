// Tests of `pleach data` and of training from a folder of pictures, as a user calls them.
#include "program.h"

#include <picture_files.h>
#include <signal.h>
#include <sys/stat.h>

// Two classes, pictures/dark and pictures/light, of n JPEG files each.
static void put_pictures(int n)
{
    char path[MAX_PATH];

    for (int c = 0; c < 2; c++) {
        snprintf(path, sizeof path, "%s/pictures", folder);
        mkdir(path, 0777);
        snprintf(path, sizeof path, "%s/pictures/%s", folder, c ? "light" : "dark");
        mkdir(path, 0777);
        for (int i = 0; i < n; i++) {
            const plc_made_jpeg made = {20 + i % 5, 18, c ? 4 : 0, 3, false, false};
            size_t size = 0;
            uint8_t *bytes = plc_make_jpeg(&made, &size);

            snprintf(path, sizeof path, "%s/pictures/%s/%d.jpg", folder, c ? "light" : "dark", i);
            FILE *file = fopen(path, "wb");
            assert_non_null(file);
            assert_int_equal(fwrite(bytes, 1, size, file), size);
            fclose(file);
            free(bytes);
        }
    }
}

static void check_ends_with_3_when_a_file_is_bad(void **state)
{
    (void)state;
    put_pictures(4);
    assert_int_equal(call("data check folder:pictures"), 0);
    assert_non_null(strstr(out, "8 images of 2 classes"));
    assert_non_null(strstr(out, "0 bad"));
    write_text("pictures/dark/\x1b[2J.jpg", "text");
    assert_int_equal(call("data check folder:pictures"), 3);
    assert_non_null(strstr(out, "bad: dark/?[2J.jpg: is neither a JPEG nor a PNG file"));
    assert_int_equal(call("data check folder:pictures --json"), 3);
    json_t *root = parsed_output("pleach.data-check/1");
    assert_int_equal(json_integer_value(json_object_get(root, "images")), 9);
    assert_int_equal(json_array_size(json_object_get(root, "bad")), 1);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(root, "classes"), 1), "name")),
                        "light");
    json_decref(root);
    assert_int_equal(call("data pack folder:pictures --out p.pack"), 3);
    assert_non_null(strstr(err, "neither a JPEG nor a PNG"));
    assert_int_equal(call("data check pack:p.pack"), 3); // nothing was left behind
    assert_non_null(strstr(out, "No such file"));
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/pictures/dark/\x1b[2J.jpg", folder);
    assert_int_equal(unlink(path), 0);
}

static void wrong_words_are_answered(void **state)
{
    (void)state;
    assert_int_equal(call("data chekc folder:pictures"), 2);
    assert_non_null(strstr(err, "did you mean 'check'?"));
    assert_int_equal(call("data check"), 2);
    assert_int_equal(call("data pack folder:pictures"), 2);
    assert_non_null(strstr(err, "--out FILE"));
    assert_int_equal(call("data pack mnist:x --out y"), 2);
    assert_int_equal(call("data check folder:pictures --size 8"), 2);
    assert_non_null(strstr(err, "--size is of `pleach data pack`"));
    assert_int_equal(call("data check folder:pictures --out y"), 2);
    assert_int_equal(call("data --help"), 0);
    assert_non_null(strstr(out, "folder:DIR[,OPTION=VALUE...]"));
}

static void read_weights(const char *run, char *bytes, size_t *size)
{
    char path[MAX_PATH];

    snprintf(path, sizeof path, "%s/%s/model.safetensors", folder, run);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    *size = fread(bytes, 1, MAX_OUTPUT, file);
    fclose(file);
}

#define TRAIN                                                                                      \
    "train --model cnn5 --epochs 4 --batch 8 --calibration 4 --lr 0.02 --seed 5 --progress none "

// With the cache and one thread, and without it and three: the same model, which tells the two classes apart.
static void training_from_a_folder_learns_and_gives_the_same_bits(void **state)
{
    static char a[MAX_OUTPUT], b[MAX_OUTPUT];
    size_t a_size = 0, b_size = 0;

    (void)state;
    put_pictures(24);
    assert_int_equal(call(TRAIN "--data folder:pictures,size=8,threads=1 --out a"), 0);
    assert_int_equal(call(TRAIN "--data folder:pictures,size=8,cache=0,threads=3 --out b"), 0);
    read_weights("a", a, &a_size);
    read_weights("b", b, &b_size);
    assert_true(a_size > 1000);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    assert_int_equal(call("data pack folder:pictures,size=8 --out p.pack"), 0);
    assert_int_equal(call("eval a/model.safetensors --data folder:pictures,size=8 --json"), 0);
    json_t *folder_result = parsed_output("pleach.eval/1");
    assert_true(json_real_value(json_object_get(folder_result, "accuracy")) > 0.9);
    assert_int_equal(call("eval a/model.safetensors --data pack:p.pack,size=8 --json"), 0);
    json_t *pack_result = parsed_output("pleach.eval/1");
    assert_true(
        json_equal(json_object_get(folder_result, "loss"), json_object_get(pack_result, "loss")));
    json_decref(folder_result);
    json_decref(pack_result);
    assert_int_equal(call(TRAIN "--data folder:pictures,size=8 --calibration 1000 --out c"), 2);
    assert_non_null(strstr(err, "--calibration N"));
}

static void a_pack_that_is_ended_leaves_nothing_behind(void **state)
{
    char command[4 * MAX_PATH];

    (void)state;
    put_pictures(24);
    snprintf(command, sizeof command,
             "exec >/dev/null 2>&1; cd %s && "
             "{ '%s' data pack folder:pictures --size 1024 --out ended.pack & } && child=$!; "
             "until ls ended.pack.tmp-*; do kill -0 $child || exit 1; done; "
             "kill -TERM $child; wait $child; code=$?; ! ls ended.pack* && exit $code",
             folder, program);
    const int status = system(command);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_ends_with_3_when_a_file_is_bad),
        cmocka_unit_test(wrong_words_are_answered),
        cmocka_unit_test(training_from_a_folder_learns_and_gives_the_same_bits),
        cmocka_unit_test(a_pack_that_is_ended_leaves_nothing_behind),
    };

    return cmocka_run_group_tests_name("data command", tests, find_program, drop_folder);
}
