/* All of libos/common. */
#ifndef COMMON_COMMON_H
#define COMMON_COMMON_H

#include "calls.h"
#include "disk.h"
#include "domain_host.h"
#include "elf.h"
#include "event.h"
#include "flows.h"
#include "frames.h"
#include "gate.h"
#include "lock.h"
#include "note.h"
#include "packets.h"
#include "proxy.h"
#include "pt.h"
#include "ring.h"
#include "spawn.h"
#include "start.h"
#include "text.h"
#include "time.h"
#include "upcall.h"

#endif
