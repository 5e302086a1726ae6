/* topics.h - what help and man pages say of more than one command. Texts as of struct command's
 * doc. */
#ifndef IMC_CLI_REFERENCE_TOPICS_H
#define IMC_CLI_REFERENCE_TOPICS_H

/* How imc finds its cluster, and the variables of the environment. */
extern const char topic_context[];

struct variable {
    const char *name, *doc;
};
/* Up to one without a name. */
extern const struct variable variables[];

#endif
