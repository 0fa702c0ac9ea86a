/* The argument kinds of exo/abi/calls.abi, as exo/grammar.inc (generated) names them. */
#ifndef HOST_KINDS_H
#define HOST_KINDS_H

enum kind {
	K_NONE, K_DOM, K_SLOT, K_PFN, K_PHYS, K_COUNT, K_FLAGS, K_TIME, K_VA, K_ANY, K_OP,
	K_CAP_ANY, K_CAP_FRAMES, K_CAP_DOMAIN, K_CAP_CONTEXT, K_CAP_EVENT, K_CAP_SLICE, K_CAP_DEVICE,
	K_CAP_MACHINE, K_CAP_EXTENT, K_CAP_RING, K_CAP_FLOW, K_CAP_GATE,
	K_BUF_CAP_INFO, K_BUF_DOMAIN_INFO, K_BUF_FRAME, K_BUF_U64, K_BUF_PT_ITEM, K_BUF_PREDICATE,
	K_BUF_CHAR, K_BUF_RESUME, K_BUF_EXTENT_INFO,
	K_BUF_ATOM, K_BUF_FLOW_INFO
};

struct grammar_call {
	const char *name;
	unsigned args;
	enum kind kind[6];
};

#endif
