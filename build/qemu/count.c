// A QEMU plugin that counts the guest's instructions, for build/instructions.sh.
//
// `qemu-aarch64 -plugin libcount.so,out=FILE …` writes the count to FILE when the guest exits.
// Debian does not ship qemu-plugin.h, so the functions used are declared here, for version 1 of the
// interface (QEMU 4.2 to 8.x; docs/devel/tcg-plugins.rst). Counting is per translated block and not
// atomic: run the guest with one compute thread.

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum { ADD_U64 = 0 };

int qemu_plugin_version = 1;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

static uint64_t instructions;
static char out[4096];

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &instructions,
                                             qemu_plugin_tb_n_insns(block));
}

static void ended(plugin_id id, void *unused) {
    (void)id;
    (void)unused;
    FILE *file = fopen(out, "w");
    if (!file || fprintf(file, "%" PRIu64 "\n", instructions) < 0 || fclose(file) != 0) {
        perror(out);
    }
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0 && strlen(argv[i] + 4) < sizeof out) {
            strcpy(out, argv[i] + 4);
        }
    }
    if (!out[0]) {
        fputs("count.c: out=FILE is missing\n", stderr);
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
