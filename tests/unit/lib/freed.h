/* freed.h - counts what is given to free() with a secret in it. Not in builds with a sanitizer,
 * which has a free() of its own: freed_is_watched says so. Include cmocka.h first. */
#ifndef IMC_TESTS_UNIT_LIB_FREED_H
#define IMC_TESTS_UNIT_LIB_FREED_H

#include <malloc.h>
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

static int freed_secrets;    /* atomic */
static bool freed_only_ours; /* what libraries free does not count */

#ifdef FREED_SANITIZED
static const bool freed_is_watched = false;
#else
static const bool freed_is_watched = true;
static bool freed_watches;

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
        __atomic_add_fetch(&freed_secrets, 1, __ATOMIC_RELAXED);
}

/* In place of libc's, for libraries too. */
void free(void *ptr)
{
    if (__atomic_load_n(&freed_watches, __ATOMIC_RELAXED))
        freed_look(ptr, __builtin_return_address(0));
    __libc_free(ptr);
}
#endif

static inline void freed_watch(bool only_ours)
{
    freed_only_ours = only_ours;
    __atomic_store_n(&freed_secrets, 0, __ATOMIC_RELAXED);
#ifndef FREED_SANITIZED
    __atomic_store_n(&freed_watches, true, __ATOMIC_RELAXED);
#endif
}

/* The number since freed_watch(). */
static inline int freed_end(void)
{
#ifndef FREED_SANITIZED
    __atomic_store_n(&freed_watches, false, __ATOMIC_RELAXED);
#endif
    return __atomic_load_n(&freed_secrets, __ATOMIC_RELAXED);
}

#endif
