/* freed.h - counts what is given to free() with a secret in it. Not in builds with a sanitizer,
 * which has a free() of its own: freed_is_watched says so. Include cmocka.h first. */
#ifndef IMC_TESTS_UNIT_LIB_FREED_H
#define IMC_TESTS_UNIT_LIB_FREED_H

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FREED_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FREED_SANITIZED 1
#endif

#define FREED_SECRET "pa55-of-nobody"

static _Atomic int freed_secrets;
static bool freed_only_ours; /* what libraries free does not count */

#ifdef FREED_SANITIZED
static const bool freed_is_watched = false;
#else
static const bool freed_is_watched = true;
static _Atomic bool freed_watches;

extern char __executable_start, etext; /* the linker's */
void __libc_free(void *ptr);
void free(void *ptr);

static void freed_look(const void *ptr, const char *caller)
{
    bool ours = caller >= &__executable_start && caller < &etext;
    if (ptr == NULL || (freed_only_ours && !ours))
        return;
    if (memmem(ptr, malloc_usable_size((void *)(uintptr_t)ptr), FREED_SECRET,
               sizeof FREED_SECRET - 1) != NULL)
        atomic_fetch_add_explicit(&freed_secrets, 1, memory_order_relaxed);
}

/* In place of libc's, for libraries too. */
void free(void *ptr)
{
    if (atomic_load_explicit(&freed_watches, memory_order_relaxed))
        freed_look(ptr, __builtin_return_address(0));
    __libc_free(ptr);
}
#endif

static inline void freed_watch(bool only_ours)
{
    freed_only_ours = only_ours;
    atomic_store_explicit(&freed_secrets, 0, memory_order_relaxed);
#ifndef FREED_SANITIZED
    atomic_store_explicit(&freed_watches, true, memory_order_relaxed);
#endif
}

/* The number since freed_watch(). */
static inline int freed_end(void)
{
#ifndef FREED_SANITIZED
    atomic_store_explicit(&freed_watches, false, memory_order_relaxed);
#endif
    return atomic_load_explicit(&freed_secrets, memory_order_relaxed);
}

#endif
