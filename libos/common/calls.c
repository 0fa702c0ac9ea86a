/* Loops around the kernel's calls, and the texts of its statuses.  See calls.h.
 *
 * A call that did nothing and doesn't say AGAIN either would be a kernel's defect; a loop ends
 * then with EXO_STATE instead of spinning. */
#include "libos/common/calls.h"
#include "libos/common/text.h"

static bool go_on(const struct exo_result *r, uint64_t *status)
{
	if (r->status == EXO_AGAIN || (r->status == EXO_OK && r->value))
		return true;
	*status = r->status == EXO_OK ? EXO_STATE : r->status;
	return false;
}

uint64_t exo_retype_all(uint64_t dom, const uint64_t *items, size_t n, size_t *done)
{
	uint64_t status = EXO_OK;
	size_t at = 0;
	while (at < n) {
		struct exo_result r = exo_frame_retype(dom, items + at, n - at);
		at += r.value;
		if (!go_on(&r, &status))
			break;
	}
	if (done)
		*done = at;
	return status;
}

uint64_t exo_pt_write_all(uint64_t dom, struct exo_pt_item *items, size_t n, uint64_t cap,
	uint64_t flags, size_t *done)
{
	uint64_t status = EXO_OK;
	size_t at = 0;
	while (at < n) {
		struct exo_result r = exo_pt_write(dom, items + at, n - at, cap, flags, 0);
		at += r.value;
		if (!go_on(&r, &status))
			break;
	}
	if (done)
		*done = at;
	return status;
}

uint64_t exo_give_all(uint64_t from, uint64_t to, uint64_t pfn, uint64_t count, uint64_t *done)
{
	uint64_t status = EXO_OK, at = 0;
	while (at < count) {
		struct exo_result r = exo_frame_give(from, to, pfn + at, count - at);
		at += r.value;
		if (!go_on(&r, &status))
			break;
	}
	if (done)
		*done = at;
	return status;
}

uint64_t exo_copy_all(uint64_t dom, uint64_t dst, uint64_t sdom, uint64_t src, uint64_t len,
	uint64_t cap)
{
	uint64_t status = EXO_OK;
	for (uint64_t at = 0; at < len;) {
		struct exo_result r = exo_frame_copy(dom, dst + at, sdom,
			~src ? src + at : src, len - at, cap);
		at += r.value;
		if (!go_on(&r, &status))
			break;
	}
	return status;
}

uint64_t exo_destroy_all(uint64_t dom, uint64_t *frames)
{
	struct exo_result r;
	do
		r = exo_domain_destroy(dom);
	while (r.status == EXO_AGAIN);
	if (frames)
		*frames = r.value;
	return r.status;
}

uint64_t exo_delete_all(uint64_t dom, uint64_t cap)
{
	uint64_t status;
	do
		status = exo_cap_delete(dom, cap).status;
	while (status == EXO_AGAIN);
	return status;
}

uint64_t exo_revoke_all(uint64_t dom, uint64_t cap)
{
	uint64_t status;
	do
		status = exo_cap_revoke(dom, cap).status;
	while (status == EXO_AGAIN);
	return status;
}

uint64_t exo_log_all(uint64_t machine, const char *text, size_t n)
{
	uint64_t status = EXO_OK;
	for (size_t at = 0; at < n;) {
		struct exo_result r = exo_log_write(machine, text + at, n - at < 256 ? n - at : 256);
		at += r.value;
		if (!go_on(&r, &status))
			break;
	}
	return status;
}

#define X(code, name, meaning) [code] = #name,
static const char *const names[] = { EXO_STATUS_TABLE(X) };
#undef X
#define X(code, name, meaning) [code] = meaning,
static const char *const meanings[] = { EXO_STATUS_TABLE(X) };
#undef X

const char *exo_status_name(uint64_t status)
{
	return EXO_CODE(status) < EXO_STATUS_COUNT ? names[EXO_CODE(status)] : "?";
}

const char *exo_status_text(uint64_t status)
{
	return EXO_CODE(status) < EXO_STATUS_COUNT ? meanings[EXO_CODE(status)] : "unknown status";
}
