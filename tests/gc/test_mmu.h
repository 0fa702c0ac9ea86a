/* The cases of the MMU interface: how many failed. */
#ifndef TEST_MMU_H
#define TEST_MMU_H

unsigned test_mmu(void);

#endif
