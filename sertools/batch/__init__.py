"""Command lines as forks of one process that has imported everything: a list of them, or those that a command starts.

Starting Python and importing torch takes longer than most of what a small line does. Here a process imports once and
computes nothing, so that no thread, no random number and no GPU is touched before it forks; every line is a fork of
it, and its bytes are those of a process of its own.
"""

# The variable that tells the lines below `batch --around` where they hand themselves over.
WARM = "SERTOOLS_WARM"
