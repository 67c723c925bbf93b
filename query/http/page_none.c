/*
 * page_none.c - no page: built where npm is not there (page.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/page.h"

const char page_hash[] = "none";
const struct page_file page_files[] = {{NULL, NULL, NULL, 0}};
