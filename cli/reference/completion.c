/* Completion for bash and zsh, each as a script that needs nothing but its shell. */
#include "cli/base/arguments.h"
#include "cli/reference/reference.h"

#include <string.h>

/* Calls FN for each first word of a command, once. */
static void first_words(void (*fn)(FILE *out, const char *word, size_t len), FILE *out)
{
    for (const struct command *const *at = commands; *at != NULL; at++) {
        size_t len = strcspn((*at)->name, " ");
        bool again = false;
        for (const struct command *const *before = commands; before != at; before++)
            again |= strncmp((*before)->name, (*at)->name, len) == 0 &&
                     strcspn((*before)->name, " ") == len;
        if (!again)
            fn(out, (*at)->name, len);
    }
}

/* Is there a command of two words whose first is the LEN bytes at WORD? */
static bool is_group(const char *word, size_t len)
{
    for (const struct command *const *at = commands; *at != NULL; at++) {
        if (strncmp((*at)->name, word, len) == 0 && (*at)->name[len] == ' ')
            return true;
    }
    return false;
}

/* Prints the second words of the group WORD, with blanks between. */
static void second_words(FILE *out, const char *word, size_t len)
{
    const char *blank = "";

    for (const struct command *const *at = commands; *at != NULL; at++) {
        if (strncmp((*at)->name, word, len) != 0 || (*at)->name[len] != ' ')
            continue;
        fprintf(out, "%s%s", blank, (*at)->name + len + 1);
        blank = " ";
    }
}

/* --- bash --- */

static void bash_word(FILE *out, const char *word, size_t len)
{
    fprintf(out, " %.*s", (int)len, word);
}

static void bash_group(FILE *out, const char *word, size_t len)
{
    if (!is_group(word, len))
        return;
    fprintf(out, "        %.*s) words='", (int)len, word);
    second_words(out, word, len);
    (void)fputs("' ;;\n", out);
}

static bool takes_files(enum value_kind kind)
{
    return kind == VALUE_FILE || kind == VALUE_DIRECTORY;
}

/* "NAME='--a --b'": those options of COMMAND of which WANTED says so. */
static void bash_options(FILE *out, const char *name, const struct command *command,
                         bool (*wanted)(const struct option_row *row))
{
    const struct option_row *row;
    const char *blank = "";

    fprintf(out, " %s='", name);
    for (size_t i = 0; (row = command_option(command, i)) != NULL; i++) {
        if (!wanted(row))
            continue;
        fprintf(out, "%s--%s", blank, row->name);
        blank = " ";
    }
    (void)fputs("'", out);
}

static bool any_option(const struct option_row *row)
{
    (void)row;
    return true;
}

static bool file_option(const struct option_row *row)
{
    return row->value != NULL && takes_files(row->kind);
}

static bool value_option(const struct option_row *row)
{
    return row->value != NULL && !takes_files(row->kind);
}

static void bash_command(FILE *out, const struct command *command)
{
    fprintf(out, "    '%s')\n       ", command->name);
    bash_options(out, "options", command, any_option);
    bash_options(out, "files", command, file_option);
    bash_options(out, "values", command, value_option);
    if (command->words != NULL) {
        (void)fputs("\n        words=\"$words", out);
        for (const char *const *word = command->words; *word != NULL; word++)
            fprintf(out, " %s", *word);
        (void)fputs("\"", out);
    } else if (command->kind == VALUE_COMMAND) {
        (void)fputs("\n        words=\"$words $first\"", out);
    } else if (takes_files(command->kind)) {
        (void)fputs("\n        arguments=files", out);
    }
    (void)fputs(" ;;\n", out);
}

void completion_bash(FILE *out)
{
    (void)fputs(
        "# bash completion for imc. Made by: imc completion bash\n"
        "_imc()\n"
        "{\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
        "    local command=${COMP_WORDS[1]} words='' options='' files='' values='' arguments=''\n"
        "    local first='--help --version",
        out);
    first_words(bash_word, out);
    (void)fputs("'\n"
                "    COMPREPLY=()\n"
                "    if [ \"${COMP_WORDS[0]##*/}\" = imc-client ]; then\n"
                "        command=watch\n"
                "    elif [ \"$COMP_CWORD\" = 1 ]; then\n"
                "        mapfile -t COMPREPLY < <(compgen -W \"$first\" -- \"$word\")\n"
                "        return\n"
                "    elif [ \"$COMP_CWORD\" = 2 ]; then\n"
                "        case $command in\n",
                out);
    first_words(bash_group, out);
    (void)fputs("        esac\n"
                "    fi\n"
                "    case \"$command ${COMP_WORDS[2]}\" in\n",
                out);
    for (const struct command *const *at = commands; *at != NULL; at++) {
        if (strchr((*at)->name, ' ') != NULL)
            fprintf(out, "    '%s') [ \"$COMP_CWORD\" = 2 ] || command='%s' ;;\n", (*at)->name,
                    (*at)->name);
    }
    (void)fputs("    esac\n"
                "    case $command in\n",
                out);
    for (const struct command *const *at = commands; *at != NULL; at++)
        bash_command(out, *at);
    (void)fputs("    esac\n"
                "    case \" $files \" in *\" $previous \"*) arguments=files word=${word:-} "
                "options='' words='' ;; esac\n"
                "    case \" $values \" in *\" $previous \"*) return ;; esac\n"
                "    if [ \"$arguments\" = files ] && [[ $word != -* ]]; then\n"
                "        compopt -o filenames 2>/dev/null\n"
                "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\"; compgen -W \"$words\" "
                "-- \"$word\")\n"
                "        return\n"
                "    fi\n"
                "    [[ $word != -* && -n $words ]] || words=$options\n"
                "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
                "}\n"
                "complete -F _imc imc imc-client\n",
                out);
}

/* --- zsh --- */

/* TEXT up to its first stop, within single quotes, with a backslash before each byte of SPECIAL. */
static void zsh_quoted(FILE *out, const char *text, const char *special)
{
    for (; *text != '\0' && strncmp(text, ". ", 2) != 0; text++) {
        if (*text == '\'') {
            (void)fputs("'\\''", out);
            continue;
        }
        if (strchr(special, *text) != NULL)
            (void)fputc('\\', out);
        (void)fputc(*text, out);
    }
}

static const char *summary_of(const char *word, size_t len)
{
    for (const struct command *const *at = commands; *at != NULL; at++) {
        if (strncmp((*at)->name, word, len) == 0 && (*at)->name[len] == '\0')
            return (*at)->summary;
    }
    return NULL;
}

static void zsh_word(FILE *out, const char *word, size_t len)
{
    const char *summary = summary_of(word, len);

    fprintf(out, "        '%.*s:", (int)len, word);
    if (summary != NULL)
        zsh_quoted(out, summary, ":");
    else
        second_words(out, word, len);
    (void)fputs("'\n", out);
}

static void zsh_option(FILE *out, const struct option_row *row)
{
    fprintf(out, " \\\n            '*--%s[", row->name);
    zsh_quoted(out, row->doc, "[]\\");
    (void)fputs("]", out);
    if (row->value != NULL) {
        (void)fputs(":", out);
        zsh_quoted(out, row->value, ":");
        fprintf(out, ":%s",
                row->kind == VALUE_FILE        ? "_files"
                : row->kind == VALUE_DIRECTORY ? "_files -/"
                                               : " ");
    }
    (void)fputs("'", out);
}

static void zsh_command(FILE *out, const struct command *command)
{
    const struct option_row *row;

    fprintf(out, "    '%s')\n        _arguments", command->name);
    for (size_t i = 0; (row = command_option(command, i)) != NULL; i++)
        zsh_option(out, row);
    if (command->words != NULL) {
        (void)fputs(" \\\n            '1:what:(", out);
        for (const char *const *word = command->words; *word != NULL; word++)
            fprintf(out, "%s%s", word == command->words ? "" : " ", *word);
        (void)fputs(")'", out);
    }
    if (command->kind == VALUE_COMMAND) {
        (void)fputs(" \\\n            '1:command:(", out);
        first_words(bash_word, out);
        (void)fputs(")'", out);
    }
    if (!takes_files(command->kind))
        (void)fputs(" \\\n            '*:argument: '", out);
    else
        fprintf(out, " \\\n            '*:file:_files%s'",
                command->kind == VALUE_DIRECTORY ? " -/" : "");
    (void)fputs("\n        ;;\n", out);
}

static void zsh_group(FILE *out, const char *word, size_t len)
{
    if (!is_group(word, len))
        return;
    fprintf(out, "        %.*s) compadd -- ", (int)len, word);
    second_words(out, word, len);
    (void)fputs(" ;;\n", out);
}

void completion_zsh(FILE *out)
{
    (void)fputs("#compdef imc imc-client\n"
                "# zsh completion for imc. Made by: imc completion zsh\n"
                "_imc() {\n"
                "    local command=$words[2] both\n"
                "    local -a commands\n"
                "    commands=(\n",
                out);
    first_words(zsh_word, out);
    (void)fputs("    )\n"
                "    if [[ ${words[1]:t} == imc-client ]]; then\n"
                "        command=watch\n"
                "    elif (( CURRENT == 2 )); then\n"
                "        _describe -t commands 'command' commands\n"
                "        return\n"
                "    else\n"
                "        if (( CURRENT == 3 )); then\n"
                "            case $command in\n",
                out);
    first_words(zsh_group, out);
    (void)fputs("            esac\n"
                "        fi\n"
                "        both=\"$words[2] $words[3]\"\n"
                "        shift words\n"
                "        (( CURRENT-- ))\n"
                "        case $both in\n",
                out);
    for (const struct command *const *at = commands; *at != NULL; at++) {
        if (strchr((*at)->name, ' ') != NULL)
            fprintf(out,
                    "        '%s') (( CURRENT > 2 )) && command=$both && shift words && (( "
                    "CURRENT-- )) ;;\n",
                    (*at)->name);
    }
    (void)fputs("        esac\n"
                "    fi\n"
                "    case $command in\n",
                out);
    for (const struct command *const *at = commands; *at != NULL; at++)
        zsh_command(out, *at);
    (void)fputs(
        "    esac\n"
        "}\n"
        "if [ \"$funcstack[1]\" = _imc ]; then _imc \"$@\"; else compdef _imc imc imc-client; fi\n",
        out);
}
