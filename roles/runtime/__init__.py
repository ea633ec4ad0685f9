"""Runtime: the llama.cpp build, installed beside older ones and chosen by a link."""
