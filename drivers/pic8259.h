/* The PC's old pair of interrupt controllers. */
#ifndef DRIVERS_PIC8259_H
#define DRIVERS_PIC8259_H

/* Moves their vectors out of the exceptions' way, and masks all lines. */
void pic_silence(void);

#endif
