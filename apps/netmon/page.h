/* The page that draws, as text (page.html). */
#ifndef NETMON_PAGE_H
#define NETMON_PAGE_H

static const char page_text[] =
#include "apps/netmon/page.inc"
	;

#endif
