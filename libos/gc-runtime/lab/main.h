/* Where gclab's main is: main_linux.c and main_exo.c bring the arguments. */
#ifndef GC_LAB_MAIN_H
#define GC_LAB_MAIN_H

int lab_main(unsigned argc, const char *(*arg)(unsigned i));

#endif
