#include "cli/reference/topics.h"

#include <stddef.h>

const char topic_context[] =
    "imc asks a logic of the cluster. Its address, the API key and the CA come from the options, "
    "else from the environment, else from the file of contexts, else it is "
    "http://127.0.0.1:7172, without a key.\n\n"
    "The file of contexts is ~/.config/imc/config. It has a section for each cluster, of which "
    "[default] is meant, or the one that the first line names:\n\n"
    "    context = staging\n"
    "    [staging]\n"
    "    address = https://logic.staging.example:7172\n"
    "    key_file = staging.key\n"
    "    ca = staging-ca.pem\n"
    "    [production]\n"
    "    address = https://push.example\n"
    "    key_file = production.key\n\n"
    "A section may also have insecure = yes, and comet_tcp or comet_ws, host:port, where watch "
    "connects. Paths begin at the folder of the file. A key has a file of its own, which only its "
    "owner may read (mode 0600); imc refuses others. It shows the key over TLS only, or to this "
    "machine, unless insecure says that it may go over the network as it is.";

const struct variable variables[] = {
    {"IMC_ADDRESS", "The URL of a logic's API."},
    {"IMC_KEY", "The API key itself. Programs that run as the same user may see it."},
    {"IMC_KEY_FILE", "The file with the API key."},
    {"IMC_CA", "The file of certificates, PEM, that are believed."},
    {"IMC_CONTEXT", "The section of the file of contexts."},
    {"IMC_CONFIG", "The file of contexts itself."},
    {NULL, NULL},
};
