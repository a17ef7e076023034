/* Python's small objects on huge pages: importing this module gives the interpreter another arena allocator.

   A worker's accounts, orders and lots are millions of small objects, touched in no order; with pages of 4 KiB an
   event waits more for address translation than for anything else, most of all in a virtual machine, where every
   translation is made twice. So arenas are cut from regions that the kernel is asked to back with huge pages
   (2 MiB, transparent_hugepage "madvise" or "always"; under "never" nothing changes but the source of arenas).

   https://docs.python.org/3/c-api/memory.html#customize-pymalloc-arena-allocator
   Arenas that were allocated before keep their allocator's memory: an arena of ours is told by its address. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define REGION ((size_t)32 << 20)
#define MOST_REGIONS 65536 /* 2 TiB */
#define KEPT_ARENAS 8      /* so many freed arenas keep their memory for the next ones */

static PyObjectArenaAllocator earlier;
static size_t arena_size;           /* of the first arena asked for: 1 MiB since Python 3.10 */
static char *regions[MOST_REGIONS]; /* ordered by age */
static size_t region_count;
static char *unused, *unused_end;   /* what is left of the newest region */

/* Freed arenas: a stack of their addresses. */
static void **freed;
static size_t freed_count, freed_room;

static int new_region(void)
{
    if (region_count == MOST_REGIONS)
        return 0;
    char *mapped = mmap(NULL, REGION + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return 0;
    char *start = (char *)(((uintptr_t)mapped + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    if (start > mapped)
        munmap(mapped, (size_t)(start - mapped));
    munmap(start + REGION, (size_t)(mapped + HUGE_PAGE - start));
    madvise(start, REGION, MADV_HUGEPAGE); /* a wish: refused where the kernel has no huge pages */
    regions[region_count++] = start;
    unused = start;
    unused_end = start + REGION;
    return 1;
}

static void *allocate(void *context, size_t size)
{
    (void)context;
    if (arena_size == 0 && REGION % size == 0)
        arena_size = size;
    if (size == arena_size) {
        if (freed_count > 0)
            return freed[--freed_count];
        if (unused != unused_end || new_region()) {
            char *arena = unused;
            unused += size;
            return arena;
        }
    }
    return earlier.alloc(earlier.ctx, size);
}

static int is_ours(const char *arena)
{
    for (size_t i = region_count; i-- > 0;)
        if (arena >= regions[i] && arena < regions[i] + REGION)
            return 1;
    return 0;
}

static void release(void *context, void *arena, size_t size)
{
    (void)context;
    if (!is_ours(arena)) {
        earlier.free(earlier.ctx, arena, size);
        return;
    }
    if (freed_count >= KEPT_ARENAS)
        madvise(arena, size, MADV_DONTNEED); /* the memory goes back, the address stays ours */
    if (freed_count == freed_room) {
        size_t room = freed_room ? 2 * freed_room : 512;
        void **grown = realloc(freed, room * sizeof(void *));
        if (grown == NULL)
            return; /* an address that nobody uses again */
        freed = grown;
        freed_room = room;
    }
    freed[freed_count++] = arena;
}

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "huge_arenas",
    .m_doc = "Imported, it puts Python's small objects on huge pages.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit_huge_arenas(void)
{
    static int installed;
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && !installed) {
        installed = 1;
        PyObjectArenaAllocator ours = {NULL, allocate, release};
        PyObject_GetArenaAllocator(&earlier);
        PyObject_SetArenaAllocator(&ours);
    }
    return module;
}
