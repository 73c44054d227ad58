/* The cells: one row each. Included twice: for the definitions, and with CELL_ROWS for the table of them. */
#include "cell/elman.h"
#include "cell/jordan.h"
#include "cell/lstm.h"
#include "cell/lstm_at.h"
#include "cell/gru.h"
#include "cell/gru_before.h"
#include "cell/mgu.h"
#include "cell/indrnn.h"
